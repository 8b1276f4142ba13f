# A Rails app with the checks that every new one has: of `Host`, and of `Origin` and the token of a form.
require 'action_controller/railtie'

class Shop < Rails::Application
  config.root = __dir__
  config.load_defaults 6.1
  config.eager_load = false
  config.secret_key_base = 'x' * 64
  config.logger = Logger.new(File::NULL)
  routes.append do
    get '/', to: 'pages#show'
    get '/away', to: 'pages#away'
    post '/', to: 'pages#create'
  end
end

class PagesController < ActionController::Base
  def show
    render plain: [ENV['DYNO'], request.base_url, request.remote_ip, request.ssl?, request.request_id,
                   form_authenticity_token].join("\n")
  end

  def away
    redirect_to '/'
  end

  def create
    render plain: 'created'
  end
end

Shop.initialize!
run Shop
