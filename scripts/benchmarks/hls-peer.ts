import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** ffmpeg's own HLS muxer with AES-128, and the server it pushes to. */
export class HlsPeer {
  readonly #directory: string;
  readonly #server: ChildProcess;
  readonly #port: number;

  private constructor(directory: string, server: ChildProcess, port: number) {
    this.#directory = directory;
    this.#server = server;
    this.#port = port;
  }

  static async open(
    directory: string,
    identity: { readonly key: string; readonly certificate: string },
  ): Promise<HlsPeer> {
    mkdirSync(join(directory, 'store'), { recursive: true });
    const script = join(import.meta.dirname, 'hls-server.ts');
    const args = [script, join(directory, 'store'), identity.key, identity.certificate];
    const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(server.stdout as NodeJS.ReadableStream, 'data');
    writeFileSync(join(directory, 'media.key'), randomBytes(16));
    writeFileSync(
      join(directory, 'media.keyinfo'),
      `https://127.0.0.1/media.key\n${join(directory, 'media.key')}\n`,
    );
    return new HlsPeer(directory, server, Number(port));
  }

  /** Plays the video in real time, copied into segments of 4 s: one PUT each, over a connection that is kept. */
  command(video: string): string[] {
    return [
      ...['ffmpeg', '-hide_banner', '-loglevel', 'warning', '-nostats', '-nostdin', '-re', '-i', video],
      ...['-map', '0:v:0', '-an', '-c:v', 'copy', '-f', 'hls', '-hls_time', '4', '-hls_list_size', '5'],
      ...[
        '-hls_key_info_file',
        join(this.#directory, 'media.keyinfo'),
        '-method',
        'PUT',
        '-http_persistent',
        '1',
      ],
      `https://127.0.0.1:${this.#port}/live.m3u8`,
    ];
  }

  /** Bytes that have arrived; empties the store. */
  collect(): number {
    const store = join(this.#directory, 'store');
    const files = readdirSync(store).map((name) => join(store, name));
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    for (const file of files) rmSync(file);
    return bytes;
  }

  close(): void {
    this.#server.kill('SIGTERM');
  }
}
