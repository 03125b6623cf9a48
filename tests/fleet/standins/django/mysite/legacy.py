"""A header that Django no longer sends."""


class NoAuditor:
    """Turns off the XSS auditor of old browsers, which could be used against a page."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-XSS-Protection"] = "0"
        return response
