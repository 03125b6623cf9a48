import type { NextConfig } from "next";

const headers = [
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "X-XSS-Protection", value: "0" },
  { key: "Referrer-Policy", value: "strict-origin-when-cross-origin" },
];

export default {
  output: "standalone",
  poweredByHeader: false,
  headers: async () => [{ source: "/:path*", headers }],
} satisfies NextConfig;
