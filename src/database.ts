import type { Socket } from "node:net";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import createKnex, { type Knex } from "knex";
import pg from "pg";
import { commitFaultOf, faultOf, isSerializationFailure } from "./database-fault.ts";
import { Fault } from "./errors.ts";
import { listenForever } from "./listen.ts";
import { statementOf } from "./statement.ts";

/** Values for the `:name` placeholders of a statement; objects must be serialised by the caller, `undefined` is not allowed. */
export type Bindings = Readonly<Record<string, unknown>>;

/** Runs SQL with `:name` placeholders. int8 arrives as bigint, bytea as Buffer, timestamptz as Date. */
export interface Queryable {
  rows<T>(sql: string, bindings?: Bindings): Promise<readonly T[]>;
  /** The first row, or undefined when there is none. */
  row<T>(sql: string, bindings?: Bindings): Promise<T | undefined>;
  /** The number of rows the statement changed. */
  run(sql: string, bindings?: Bindings): Promise<number>;
}

declare const inTransaction: unique symbol;
/** A Queryable whose statements commit or vanish together. */
export interface Transaction extends Queryable {
  readonly [inTransaction]: true;
}

export interface TransactionOptions {
  readonly isolation?: "read committed" | "repeatable read";
  readonly readOnly?: boolean;
  /** How often the whole work is repeated after a serialization failure or a deadlock; default 5. */
  readonly retries?: number;
}

export interface Database extends Queryable {
  /**
   * Runs the work in one transaction and commits it. The work is repeated from its beginning after SQLSTATE 40001 or 40P01,
   * so it must hold no state of its own. A COMMIT whose answer never came is OUTCOME_UNKNOWN: the change may have been kept.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Calls the handler for each notification until the signal aborts. A hint: notifications may be missed at any time. */
  listen(channel: string, handler: (payload: string) => void, signal: AbortSignal): void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Most connections held at once; default 10. */
  readonly connections?: number;
  readonly applicationName?: string;
}

export { isUniqueViolation } from "./database-fault.ts";

const int8 = 20;
const silent = (): void => undefined;

/** Opens a pool on a PostgreSQL database. No connection is made before the first statement. */
export function openDatabase(options: DatabaseOptions): Database {
  const types = {
    getTypeParser: ((oid: number, format?: "text" | "binary") =>
      oid === int8
        ? (text: string) => BigInt(text)
        : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
  };
  const knex = createKnex({
    client: "pg",
    connection: {
      connectionString: options.url,
      application_name: options.applicationName ?? "imagetrust",
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      // Statements that do not wait for each other go out together; PostgreSQL answers them in order.
      pipeline: true,
      types,
    } as Knex.PgConnectionConfig,
    pool: { min: 0, max: options.connections ?? 10, afterCreate: prepareConnection },
    acquireConnectionTimeout: 10_000,
    // Knex would print connection errors, which may name hosts and users; each is thrown to its caller as well.
    log: { warn: silent, error: silent, debug: silent, deprecate: silent },
  });
  return {
    ...queryable((sql, bindings) => traced(() => withConnection(knex, (one) => runOn(one)(sql, bindings)))),
    transaction: (work, settings) => runTransaction(knex, work, settings ?? {}),
    listen: (channel, handler, signal) => {
      void listenForever(options.url, channel, handler, signal);
    },
    close: () => knex.destroy(),
  };
}

function prepareConnection(connection: pg.Client, done: (error: Error | null, connection: pg.Client) => void): void {
  // An acknowledged change must survive a crash, whatever the server's or role's default says.
  const stronger = "case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end";
  connection.query(`select set_config('synchronous_commit', ${stronger}, false)`).then(
    () => done(null, connection),
    (error: Error) => done(error, connection),
  );
}

/** Runs one statement on a connection. */
type Run = (sql: string, bindings: Bindings) => Promise<pg.QueryResult>;

function queryable(run: Run): Queryable {
  return {
    rows: async <T>(sql: string, bindings: Bindings = {}) => (await run(sql, bindings)).rows as readonly T[],
    row: async <T>(sql: string, bindings: Bindings = {}) => (await run(sql, bindings)).rows[0] as T | undefined,
    run: async (sql, bindings = {}) => (await run(sql, bindings)).rowCount ?? 0,
  };
}

/** Runs statements on one connection, prepared once each. Those begun in one tick leave in one write. */
function runOn(connection: pg.Client): Run {
  return async (sql, bindings) => {
    const { text, name, names } = statementOf(sql);
    try {
      return await together(connection, () =>
        connection.query({ text, name, values: names.map((one) => bindings[one]) }),
      );
    } catch (error) {
      throw faultOf(error);
    }
  };
}

/** A write to a socket costs more than what is in it: the socket is held until the tick is over. */
function together<T>(connection: pg.Client, send: () => T): T {
  const { stream } = (connection as unknown as { readonly connection: { readonly stream: Socket } }).connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
  return send();
}

/** Knex keeps the pool; the statements are our own. A connection whose transaction may still be open must not go back. */
async function withConnection<T>(knex: Knex, work: (connection: pg.Client) => Promise<T>): Promise<T> {
  let connection: pg.Client;
  try {
    connection = (await knex.client.acquireConnection()) as pg.Client;
  } catch (error) {
    throw faultOf(error);
  }
  try {
    return await work(connection);
  } finally {
    await knex.client.releaseConnection(connection);
  }
}

const tracer = trace.getTracer("imagetrust");

/** A statement of its own has a span where somebody traces what asks for it; those of a transaction share the transaction's. */
async function traced<T>(work: () => Promise<T>): Promise<T> {
  if (trace.getActiveSpan()?.isRecording() !== true) return await work();
  const span = tracer.startSpan("database.statement");
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

async function runTransaction<T>(
  knex: Knex,
  work: (tx: Transaction) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  return tracer.startActiveSpan("database.transaction", async (span) => {
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await once(knex, work, options);
        } catch (error) {
          if (!(error instanceof Fault && error.reason === "CONFLICT" && isSerializationFailure(error.cause)))
            throw error;
          if (attempt >= (options.retries ?? 5)) throw error;
        }
      }
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

async function once<T>(knex: Knex, work: (tx: Transaction) => Promise<T>, options: TransactionOptions): Promise<T> {
  return await withConnection(knex, async (connection) => {
    const mode = options.readOnly ? "read only" : "read write";
    const begin = `begin isolation level ${options.isolation ?? "read committed"} ${mode}`;
    // The first statements leave behind BEGIN without waiting for it: where it fails, on a lost connection or a standby, so do they.
    const begun = together(connection, () => connection.query(begin));
    let isOver = false;
    const run: Run = async (sql, bindings) => {
      // A branch of the work that goes on after another failed must not write outside the transaction.
      if (isOver) throw new Error("a statement came after the end of its transaction");
      return await runOn(connection)(sql, bindings);
    };
    let result: T;
    try {
      [result] = await Promise.all([work(queryable(run) as Transaction), begun]);
      isOver = true;
    } catch (error) {
      isOver = true;
      // The first error is the cause; where the rollback fails too, the connection is gone and the server rolls back.
      await connection.query("rollback").catch(() => connection.end().catch(() => undefined));
      throw faultOf(error);
    }
    await commit(connection);
    return result;
  });
}

async function commit(connection: pg.Client): Promise<void> {
  let answer: pg.QueryResult;
  try {
    answer = await connection.query("commit");
  } catch (error) {
    throw commitFaultOf(error);
  }
  // A transaction in which a statement failed and the error was swallowed is rolled back by COMMIT without an error.
  if (answer.command !== "COMMIT") throw new Error("the transaction was rolled back at its commit");
}
