# frozen_string_literal: true

require "bundler/setup"
require "sinatra/base"

# A page and a health path.
class Guests < Sinatra::Base
  set :environment, :production
  disable :sessions

  before { content_type "text/plain" }
  get("/") { "guests" }
  get("/health") { "ok" }
end
