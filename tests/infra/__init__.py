"""The infrastructure, proved before it costs a cent."""
