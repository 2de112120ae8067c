/** Every reason for which a release, its metadata or its files are refused. Closed: a caller may switch over it. */
export type OtaErrorCode =
  /** A bundle's manifest, its signatures or its key list is longer than any may be. */
  | 'BUNDLE_OVERSIZED'
  /** A manifest is not of the form that docs/design/updates.md gives. */
  | 'BUNDLE_MALFORMED'
  /** A manifest names a path that leads elsewhere, or that not every file system can hold. */
  | 'BUNDLE_PATH_REFUSED'
  /** A manifest names a file twice, in other letters perhaps, or as a directory too. */
  | 'BUNDLE_PATH_REPEATED'
  /** A bundle for another product. */
  | 'PRODUCT_FOREIGN'
  /** A bundle for other hardware. */
  | 'HARDWARE_FOREIGN'
  /** A list of signatures or of keys is not of its form. */
  | 'SIGNATURES_MALFORMED'
  /** Fewer keys than the threshold have signed these bytes. */
  | 'SIGNATURES_MISSING'
  /** A key list with a lower number than one already obeyed. */
  | 'KEYS_OUTDATED'
  /** A file of the manifest is not there. */
  | 'FILE_MISSING'
  /** A file is there that the manifest does not name. */
  | 'FILE_UNKNOWN'
  /** A symbolic link, a device, or anything else that is no regular file. */
  | 'FILE_IRREGULAR'
  /** A file's size, mode or SHA-256 is not the manifest's. */
  | 'FILE_ALTERED'
  /** Metadata is past its end by trusted time: the repository is frozen, or somebody keeps the newer from us. */
  | 'METADATA_EXPIRED'
  /** Metadata is older than what was seen already, or not the version that other metadata names. */
  | 'METADATA_OUTDATED'
  /** Metadata lacks signatures by the keys that its role asks for. */
  | 'METADATA_UNSIGNED'
  /** Metadata is not of the length or hash that other metadata gives it. */
  | 'METADATA_MIXED'
  /** Metadata is not of TUF's form, or too long. */
  | 'METADATA_MALFORMED'
  /** The machine failed while metadata was worked on. */
  | 'METADATA_FAILED'
  /** The server answered, but not with what was asked for. */
  | 'FETCH_REFUSED'
  /** The connection failed or ended too early. */
  | 'FETCH_BROKEN'
  /** More bytes came than the file has. */
  | 'FETCH_ENDLESS'
  /** Bytes came too slowly, or none at all. */
  | 'FETCH_SLOW'
  /** What was fetched whole is not what was asked for. */
  | 'FETCH_WRONG'
  /** More bytes came in all than were allowed for. */
  | 'FETCH_BUDGET'
  /** The bytes that a camera or a mirror takes for updates in a day are used up. */
  | 'FETCH_DAY'
  /** A bundle is not the release that the metadata says it is. */
  | 'RELEASE_MISMATCHED'
  /** The metadata lacks a document that belongs to the release. */
  | 'RELEASE_INCOMPLETE'
  /** A file with an update in it is longer than any can be. */
  | 'UPDATE_FILE_OVERSIZED'
  /** It is no archive of a repository's files, or ends too early. */
  | 'UPDATE_FILE_MALFORMED'
  /** The state of the slots is not of its form. */
  | 'SLOTS_MALFORMED'
  /** The launcher's limits, flashed with a camera, are not of their form. */
  | 'LIMITS_MALFORMED'
  /** Something came about in the slots that cannot, as they are. */
  | 'SLOTS_TRANSITION'
  /** A slot holds another release than it should. */
  | 'SLOT_FOREIGN'
  /** A verified release may not be tried here now. */
  | 'STAGING_REFUSED';

/** A refusal by this room. The message never holds a secret; `cause` is what lies beneath. */
export class OtaError extends Error {
  override readonly name = 'OtaError';
  readonly code: OtaErrorCode;

  constructor(code: OtaErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
