"""The recorded graph, applied by Terraform's AWS provider to an emulator of AWS (moto), then looked at."""
