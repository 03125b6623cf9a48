require "capistrano/scm/plugin"

# The hosts have no git. As Capistrano's page "Custom SCM" has it, and the gem capistrano-rsync does: what changed goes
# by rsync into a cache on the host, which becomes the new release.
class Copy < Capistrano::SCM::Plugin
  def define_tasks
    eval_rakefile File.expand_path("copy.rake", __dir__)
  end

  def register_hooks
    after "deploy:new_release_path", "copy:create_release"
  end
end
