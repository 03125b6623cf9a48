"""What platforms whose machines we set up share: certificates, platform secrets, data services."""
