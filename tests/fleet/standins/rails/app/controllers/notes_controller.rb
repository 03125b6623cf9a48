class NotesController < ApplicationController
  def front
    render plain: "notes"
  end

  def up
    render plain: "ok"
  end

  def index
    render json: Note.order(id: :desc).limit(20).as_json(only: %i[id text])
  end
end
