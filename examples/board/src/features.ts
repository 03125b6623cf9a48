/** Feature flags: FEATURE_<NAME>=true|false in the environment, so that a config-only release can flip one. */

/** What a flag is when the environment does not mention it. An unknown flag is off. */
const DEFAULTS: Record<string, boolean> = { chat: true };

export type Features = Readonly<Record<string, boolean>>;

export function features(source: Record<string, string | undefined> = process.env): Features {
  const flags = { ...DEFAULTS };
  for (const [name, value] of Object.entries(source)) {
    if (!name.startsWith("FEATURE_") || !value) continue;
    flags[name.slice("FEATURE_".length).toLowerCase()] = ["1", "true", "on"].includes(value.toLowerCase());
  }
  return Object.freeze(flags);
}
