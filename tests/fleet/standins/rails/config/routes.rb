Rails.application.routes.draw do
  root "notes#front"
  get "up", to: "notes#up"
  resources :notes, only: %i[index]
end
