/** Comparing secrets without telling, by the time it takes, how much of a guess was right. */
import { timingSafeEqual } from "node:crypto";

export function sameSecret(given: string, expected: string): boolean {
  // Digests, because the comparison needs equal lengths and the length of a secret is nobody's business.
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
