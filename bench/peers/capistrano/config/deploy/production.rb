ENV.fetch("PEERS_WEB").split(",").each { |name| server name, user: "root", roles: %w[app] }
