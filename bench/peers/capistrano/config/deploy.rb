lock ">= 3.17"

set :application, "board"
set :deploy_to, ENV.fetch("PEERS_ROOT")
set :source, ENV.fetch("PEERS_SOURCE")
set :ssh_config, ENV.fetch("PEERS_SSH_CONFIG")
set :ssh_options, { config: [fetch(:ssh_config)], forward_agent: false }
set :linked_dirs, [".runtime", "node_modules"]
set :keep_releases, 5
set :log_level, :info

namespace :deploy do
  task :restart do
    on roles(:app), in: :sequence do
      execute :systemctl, :restart, "peer-web"
      execute :curl, "-fsS", "--retry", "200", "--retry-delay", "0", "--retry-all-errors", "--max-time", "30", "-o",
              "/dev/null", ENV.fetch("PEERS_READY")
    end
  end
  after :publishing, :restart
end
