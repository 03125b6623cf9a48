/** The files people may upload: how large, which types, and how each begins. */

export const MAX_UPLOAD_BYTES = 5 * 1024 * 1024;

const ascii = (text: string) => [...text].map((char) => char.charCodeAt(0));

/** Type → bytes at an offset. Text has no signature: it must be UTF-8 without control characters. */
const SIGNATURES = {
  "image/png": { offset: 0, bytes: [0x89, ...ascii("PNG\r\n"), 0x1a, 0x0a] },
  "image/jpeg": { offset: 0, bytes: [0xff, 0xd8, 0xff] },
  "image/webp": { offset: 8, bytes: ascii("WEBP") },
  "application/pdf": { offset: 0, bytes: ascii("%PDF-") },
  "text/plain": null,
} as const;

export type FileType = keyof typeof SIGNATURES;
export const FILE_TYPES = Object.keys(SIGNATURES) as [FileType, ...FileType[]];

/** `start` is at most the file's first 512 bytes. */
export function looksLike(type: FileType, start: Uint8Array): boolean {
  const signature = SIGNATURES[type];
  if (signature) return signature.bytes.every((byte, i) => start[signature.offset + i] === byte);
  // `stream`: the 512th byte may be the middle of a character.
  const text = decode(start);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
  return text !== null && !/[\x00-\x08\x0e-\x1f]/.test(text);
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}
