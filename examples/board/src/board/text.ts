/** Text that the database can store: PostgreSQL knows every character but NUL. */
import { z } from "zod";

export const text = () =>
  z
    .string()
    .trim()
    .refine((value) => !value.includes("\0"), "must not contain NUL");
