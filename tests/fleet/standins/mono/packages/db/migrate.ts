/** Applies the migrations that the database has not had, each in one batch with its own record. */
import { readdirSync, readFileSync } from "node:fs";
import { db } from "./index.ts";

const folder = `${import.meta.dir}/migrations`;
await db.execute("CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY)");
const applied = new Set((await db.execute("SELECT id FROM migrations")).rows.map((row) => row.id));
for (const file of readdirSync(folder).sort()) {
  const id = file.replace(".sql", "");
  if (applied.has(id)) continue;
  const statements = readFileSync(`${folder}/${file}`, "utf8").split(";").filter((each) => each.trim());
  await db.batch([...statements, { sql: "INSERT INTO migrations VALUES (?)", args: [id] }], "write");
  console.log(`applied ${id}`);
}
db.close();
