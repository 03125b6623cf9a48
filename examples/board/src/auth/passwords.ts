/** Passwords, by Argon2id. */

/** OWASP's smallest recommended cost: a sign-in takes tens of milliseconds and 19 MiB, so a burst cannot fill memory. */
const COST = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

export function hashPassword(password: string): Promise<string> {
  return Bun.password.hash(password, COST);
}

/** Without a hash it still does the work, so that the time taken does not tell whether an address is known. */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  decoy ??= hashPassword(crypto.randomUUID());
  return Bun.password.verify(password, hash ?? (await decoy));
}

let decoy: Promise<string> | undefined;
