/** Headers on every response: who served it, and what a browser may do with it. */
import { hostname } from "node:os";
import type { WebEnv } from "../env.ts";
import { cors } from "./cors.ts";

export type Finish = (response: Response, request: Request, requestId: string) => Response;

export function finisher(env: WebEnv): Finish {
  const fixed = { ...securityHeaders(env), ...releaseHeaders(env) };
  const allow = cors(env.FRONTEND_URL);
  return (response, request, requestId) => {
    const { headers } = response;
    for (const [name, value] of Object.entries(fixed)) headers.set(name, value);
    headers.set("x-request-id", requestId);
    allow(request, headers);
    if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
    return response;
  };
}

function releaseHeaders(env: WebEnv): Record<string, string> {
  const release = [env.SLIPWAY_RELEASE, env.SLIPWAY_BUILD].filter(Boolean).join("+");
  return { "x-served-by": env.SLIPWAY_HOST ?? hostname(), ...(release ? { "x-release": release } : {}) };
}

function securityHeaders(env: WebEnv): Record<string, string> {
  const sockets = env.PUBLIC_URL.replace(/^http/, "ws");
  const realtime = env.REALTIME_URL?.replace(/^http/, "ws");
  const uploads = new URL(env.S3_PUBLIC_ENDPOINT).origin;
  const csp = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    // Browsers do not agree whether 'self' covers wss: of the same host.
    ["connect-src 'self'", sockets, realtime, uploads].filter(Boolean).join(" "),
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    // The old XSS auditor was itself a hole: off is the safe value.
    "x-xss-protection": "0",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "content-security-policy": csp.join("; "),
  };
}
