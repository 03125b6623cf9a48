"""`python -m infra.proofs` writes docs/reachability.md."""

from infra.proofs.reachability import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
