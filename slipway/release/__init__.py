"""The release pipeline: preflight → build → publish → migrate → stage → boot → smoke → switch → observe →
promote → retire, and the way back."""
