"""What are checks made with? The marker and verdicts, the site, the hosts, the plugin, the reports."""
