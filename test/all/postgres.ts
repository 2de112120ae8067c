import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database, Migrations, Queries, SqlValue } from '../../server/registry/database.ts';
import { exitOf } from '../exit-of.ts';

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534;
const VERSIONS = '/usr/lib/postgresql';

/** A PostgreSQL of Debian's, on a socket in a directory of its own, that forgets everything when it ends. */
export class Postgres {
  readonly version: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'oriel-postgres-'));
  readonly #as = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  readonly #server: ChildProcess;

  constructor() {
    this.version = readdirSync(VERSIONS).sort().at(-1) ?? '';
    const bin = join(VERSIONS, this.version, 'bin');
    if ('uid' in this.#as) chownSync(this.#directory, NOBODY, NOBODY);
    const data = join(this.#directory, 'data');
    const options = ['--no-sync', '--auth=trust', '--username=oriel', '--encoding=UTF8', '--locale=C'];
    execFileSync(join(bin, 'initdb'), [...options, data], { ...this.#as, stdio: 'ignore' });
    const settings = ['-F', '-k', this.#directory, '-c', 'listen_addresses='];
    this.#server = spawn(join(bin, 'postgres'), ['-D', data, ...settings], {
      ...this.#as,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
  }

  /** A connection of its own; once the server takes connections. */
  async connect(): Promise<PostgresDatabase> {
    for (let tries = 0; ; tries++) {
      const socket = createConnection(join(this.#directory, '.s.PGSQL.5432'));
      try {
        await once(socket, 'connect');
        return await PostgresDatabase.begin(socket);
      } catch (error) {
        socket.destroy();
        if (tries === 600) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async stop(): Promise<void> {
    this.#server.kill('SIGINT');
    await exitOf(this.#server);
    rmSync(this.#directory, { recursive: true });
  }
}

interface Answer {
  readonly rows: Record<string, SqlValue>[];
  readonly changed: number;
}

/** The database port over PostgreSQL's protocol (PostgreSQL manual, chapter "Frontend/Backend Protocol"), for tests. */
export class PostgresDatabase implements Database {
  readonly #socket: Socket;
  readonly #messages: AsyncIterator<[string, Buffer]>;
  /** SQL of every statement that ran. */
  readonly ran = new Set<string>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#messages = messagesOf(socket);
  }

  static async begin(socket: Socket): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(socket);
    const parameters = Buffer.from('user\0oriel\0database\0postgres\0\0');
    const head = Buffer.alloc(8);
    head.writeInt32BE(8 + parameters.length, 0);
    head.writeInt32BE(3 << 16, 4);
    socket.write(Buffer.concat([head, parameters]));
    await database.#answer();
    return database;
  }

  /** Begins with no tables but those of the migrations. */
  async migrate({ steps }: Migrations): Promise<void> {
    await this.#simple('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    for (const step of steps) await this.#simple(step);
  }

  async query<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    return (await this.#execute(sql, values)).rows as Row[];
  }

  async one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.query<Row>(sql, ...values))[0];
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    return (await this.#execute(sql, values)).changed;
  }

  /** READ COMMITTED, as PostgreSQL has it unless it is told otherwise. */
  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    await this.#simple('BEGIN');
    try {
      const result = await work(this);
      await this.#simple('COMMIT');
      return result;
    } catch (error) {
      await this.#simple('ROLLBACK');
      throw error;
    }
  }

  async changedElsewhere(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#socket.end();
  }

  async #simple(sql: string): Promise<void> {
    this.#socket.write(message('Q', text(sql)));
    await this.#answer();
  }

  /** The extended query protocol, all values as text; their types are PostgreSQL's to find. */
  async #execute(sql: string, values: readonly SqlValue[]): Promise<Answer> {
    this.ran.add(sql);
    const bound = values.map((value) => {
      if (value === null) return int32(-1);
      const bytes = Buffer.from(
        value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value),
      );
      return Buffer.concat([int32(bytes.length), bytes]);
    });
    this.#socket.write(
      Buffer.concat([
        message('P', text(''), text(sql), int16(0)),
        message('B', text(''), text(''), int16(0), int16(bound.length), ...bound, int16(0)),
        message('D', Buffer.from('P'), text('')),
        message('E', text(''), int32(0)),
        message('S'),
      ]),
    );
    return this.#answer();
  }

  /** All that comes until the server is ready for the next query. */
  async #answer(): Promise<Answer> {
    let columns: { readonly name: string; readonly type: number }[] = [];
    const rows: Record<string, SqlValue>[] = [];
    let changed = 0;
    let failure: Error | undefined;
    for (;;) {
      const { value, done } = await this.#messages.next();
      if (done) throw failure ?? new Error('PostgreSQL has gone');
      const [kind, body] = value;
      if (kind === 'T') columns = columnsOf(body);
      else if (kind === 'D') rows.push(rowOf(body, columns));
      else if (kind === 'C') changed = Number(/(\d+)\0$/.exec(body.toString())?.[1] ?? 0);
      else if (kind === 'E') failure = new Error(body.toString().replaceAll('\0', ' '));
      else if (kind === 'Z') break;
    }
    if (failure !== undefined) throw failure;
    return { rows, changed };
  }
}

const INT4 = 23;
const INT8 = 20;
const BYTEA = 17;

const text = (value: string) => Buffer.from(`${value}\0`);
function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
function message(kind: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(kind), int32(4 + body.length), body]);
}

async function* messagesOf(socket: Socket): AsyncGenerator<[string, Buffer]> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      yield [rest.toString('latin1', 0, 1), rest.subarray(5, end)];
      rest = rest.subarray(end);
    }
  }
}

function columnsOf(body: Buffer) {
  const columns: { name: string; type: number }[] = [];
  for (let at = 2; columns.length < body.readInt16BE(0); ) {
    const end = body.indexOf(0, at);
    columns.push({ name: body.toString('utf8', at, end), type: body.readInt32BE(end + 7) });
    at = end + 19;
  }
  return columns;
}

function rowOf(body: Buffer, columns: readonly { name: string; type: number }[]) {
  const row: Record<string, SqlValue> = {};
  let at = 2;
  for (const { name, type } of columns) {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) row[name] = null;
    else row[name] = sqlValueOf(body.toString('utf8', at, at + length), type);
    at += Math.max(0, length);
  }
  return row;
}

function sqlValueOf(value: string, type: number): SqlValue {
  if (type === INT4 || type === INT8) return Number(value);
  return type === BYTEA ? Buffer.from(value.slice(2), 'hex') : value;
}
