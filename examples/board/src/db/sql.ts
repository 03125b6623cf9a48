/** PostgreSQL, through Bun's own client. */
import { SQL } from "bun";

export type Sql = SQL;
export type Transaction = Parameters<Parameters<SQL["begin"]>[1]>[0];
/** For what may run inside a transaction or on its own. */
export type Queryable = Sql | Transaction;

export function openDatabase(url: string, options: { poolSize: number; caFile?: string | undefined }): Sql {
  return new SQL({
    url,
    max: options.poolSize,
    // PgBouncer in transaction mode hands each transaction another server connection,
    // where a named prepared statement of an earlier one does not exist.
    prepare: false,
    connectionTimeout: 5,
    idleTimeout: 60,
    ...(options.caFile ? { tls: { ca: Bun.file(options.caFile), rejectUnauthorized: true } } : {}),
  });
}
