namespace :copy do
  task :create_release do
    cache = "#{fetch(:deploy_to)}/shared/cache"
    on roles(:app) do |host|
      run_locally do
        execute :rsync, "-a", "--delete", "-e", "'ssh -F #{fetch(:ssh_config)}'", "#{fetch(:source)}/",
                "#{host.hostname}:#{cache}/"
      end
      execute :cp, "-a", "#{cache}/.", "#{release_path}/"
    end
  end

  task :set_current_revision do
    set :current_revision, "bench"
  end
end
