import { toHex } from '../crypto/bytes.ts';
import { CryptoError } from '../crypto/errors.ts';
import { MAX_SESSION_HEADER_LENGTH, type ParsedSessionHeader, readSessionHeader } from '../crypto/header.ts';
import { type OpenedSegment, type OpenedSession, openSegment } from '../crypto/opener.ts';
import type { OpeningPrimitives } from '../crypto/primitives.ts';
import { MAX_SNAPSHOT_LENGTH } from '../crypto/snapshot.ts';
import { type OpenedSnapshot, openSnapshot } from '../crypto/snapshot-opener.ts';
import { sessionDirectoryName } from '../wire/footage-layout.ts';
import { FootageError } from './errors.ts';
import type { FootageSource, SessionFiles } from './footage-source.ts';

/** More than any segment a server takes (docs/reference/protocol.md). */
const MAX_SEGMENT_FILE_BYTES = 300 * 1024 * 1024;

/** Reads and opens a source's files, each of which has to lie where it belongs. */
export class FootageReader {
  readonly #source: Pick<FootageSource, 'read'>;
  readonly #primitives: OpeningPrimitives;

  constructor(source: Pick<FootageSource, 'read'>, primitives: OpeningPrimitives) {
    this.#source = source;
    this.#primitives = primitives;
  }

  /**
   * A session's header.
   * @param trusted whether the viewing key trusts the camera under whose name the session lies.
   * @throws CryptoError, FootageError SESSION_MISSING, FILE_UNREADABLE.
   */
  async header(files: SessionFiles, trusted: boolean): Promise<ParsedSessionHeader> {
    const { camera, name, headerPath } = files;
    if (!trusted) {
      throw new CryptoError(
        'CAMERA_FOREIGN',
        `camera ${camera} is not among those this viewing key trusts; sign a policy for it to trust it`,
      );
    }
    const bytes = await this.#source.read(headerPath, MAX_SESSION_HEADER_LENGTH);
    if (bytes === undefined)
      throw new FootageError('SESSION_MISSING', `${headerPath} is missing: its segments cannot be opened`);
    const header = await readSessionHeader(bytes, this.#primitives);
    if (header.camera !== camera) {
      throw new CryptoError(
        'CAMERA_FOREIGN',
        `session is of camera ${header.camera}, yet lies under ${camera}`,
      );
    }
    const signed = sessionDirectoryName({ number: header.number, id: toHex(header.id) });
    if (signed !== name) {
      throw new CryptoError('CHAIN_BROKEN', `session ${signed} lies under another session's name`);
    }
    return header;
  }

  /** @throws CryptoError, FootageError FILE_UNREADABLE. */
  async segment(path: string, sequence: number, session: OpenedSession): Promise<OpenedSegment> {
    const bytes = await this.#needed(path, MAX_SEGMENT_FILE_BYTES);
    const opened = await openSegment(bytes, session, this.#primitives);
    if (opened.header.sequence === sequence) return opened;
    throw new CryptoError('SEGMENT_FOREIGN', `segment is number ${opened.header.sequence} of its session`);
  }

  /** @throws CryptoError, FootageError FILE_UNREADABLE. */
  async snapshot(path: string, number: number, session: OpenedSession): Promise<OpenedSnapshot> {
    const bytes = await this.#needed(path, MAX_SNAPSHOT_LENGTH);
    const opened = await openSnapshot(bytes, session, this.#primitives);
    if (opened.header.number === number) return opened;
    throw new CryptoError('SNAPSHOT_FOREIGN', `snapshot is number ${opened.header.number} of its session`);
  }

  async #needed(path: string, maxBytes: number): Promise<Uint8Array> {
    const bytes = await this.#source.read(path, maxBytes);
    if (bytes !== undefined) return bytes;
    throw new FootageError('FILE_UNREADABLE', `cannot read ${path}: there is no such file`);
  }
}
