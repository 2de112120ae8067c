import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { Refusal } from '../../wire/refusal.ts';
import type { Connection } from './connection.ts';
import { ClientError } from './errors.ts';

export interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array;
  /** Bytes of the answer's body. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** Called with the answer's header fields, whatever it says. */
  readonly onHead?: (headers: IncomingHttpHeaders) => void;
}

export interface Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Statuses that are no refusal. */
const ACCEPTED = new Set([200, 201, 304]);

/** A refusal's body, bytes; docs/reference/protocol.md. */
export const MAX_REFUSAL_BYTES = 2048;

/**
 * One small request and its answer's body.
 * @throws ClientError REFUSED, PROTOCOL_VIOLATED, STALLED, CONNECTION_LOST; HostError from dialling.
 */
export async function requestBody(connection: Connection, wanted: RequestOptions): Promise<string> {
  return (await requestResponse(connection, wanted)).body;
}

/** As `requestBody`, with all of the answer. */
export function requestResponse(connection: Connection, wanted: RequestOptions): Promise<Response> {
  const { method, path, headers, body, maxBytes, timeoutMs, onHead } = wanted;
  return new Promise((resolve, reject) => {
    const request = connection.request(method, path, {
      ...headers,
      ...(body && { 'content-length': body.length }),
    });
    const timer = setTimeout(
      () =>
        request.destroy(new ClientError('STALLED', `no answer to ${method} ${path} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    request.on('error', (error) => settle(() => reject(connectionError(error))));
    request.on('response', (response) => {
      const { statusCode: status = 0, headers: fields } = response;
      onHead?.(fields);
      const refused = !ACCEPTED.has(status);
      readBody(response, refused ? MAX_REFUSAL_BYTES : maxBytes).then(
        (text) =>
          settle(() =>
            refused
              ? reject(refusalError(status, text, fields['retry-after']))
              : resolve({ status, headers: fields, body: text }),
          ),
        (error) =>
          settle(() => {
            request.destroy();
            reject(error);
          }),
      );
    });
    request.end(body);
  });
}

/** @throws ClientError PROTOCOL_VIOLATED when it is longer than `maxBytes`, CONNECTION_LOST. */
export async function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response) {
      length += chunk.length;
      if (length > maxBytes) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError(error);
  }
  if (length > maxBytes) throw new ClientError('PROTOCOL_VIOLATED', `the answer exceeds ${maxBytes} bytes`);
  return Buffer.concat(chunks).toString('utf8');
}

/** The error that a refusing answer stands for. */
export function refusalError(
  status: number | undefined,
  body: string,
  retryAfter: string | undefined = undefined,
): ClientError {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Refusal), body);
  if (!parsed.success) {
    return new ClientError('PROTOCOL_VIOLATED', `the server answered ${status} without a refusal`);
  }
  // Delay in seconds (RFC 9110 section 10.2.3); the form with a date means nothing without a clock.
  const retryAfterMs = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) * 1000 : undefined;
  return refused(parsed.output, retryAfterMs);
}

export function refused(refusal: Refusal, retryAfterMs?: number): ClientError {
  return new ClientError('REFUSED', `the server refused: ${refusal.message}`, { refusal, retryAfterMs });
}

/** Reads an answer by its schema. @throws ClientError PROTOCOL_VIOLATED. */
export function parseAnswer<S extends v.GenericSchema>(schema: S, body: string): v.InferOutput<S> {
  const parsed = v.safeParse(schema, parseJson(body));
  if (parsed.success) return parsed.output;
  throw new ClientError('PROTOCOL_VIOLATED', 'the answer is not of the shape that the protocol gives');
}

/** Our own errors and the dialler's as they are; the platform's as a lost connection. */
export function connectionError(error: unknown): Error {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'ClientError' || name === 'HostError') return error as Error;
  return new ClientError('CONNECTION_LOST', `the connection broke off: ${code ?? message}`, { cause: error });
}

/** @throws ClientError PROTOCOL_VIOLATED. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ClientError('PROTOCOL_VIOLATED', 'the answer is not JSON', { cause });
  }
}
