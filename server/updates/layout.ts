import { join } from 'node:path';

/** A mirror's files, below a server's directory. */
export interface MirrorPlaces {
  readonly directory: string;
  /** The first root that is believed. */
  readonly root: string;
  /** Metadata accepted from the maker, as ota/metadata.ts keeps it. */
  readonly trusted: string;
  readonly scratch: string;
  /** What is being fetched. */
  readonly partial: string;
  /** What cameras are given: always one whole edition. */
  readonly repository: string;
  readonly state: string;
  /** How many bytes of bundles have come today. */
  readonly fetched: string;
  /** Laid down by `oriel server updates check DIR`. */
  readonly request: string;
}

export function mirrorPlaces(serverDirectory: string): MirrorPlaces {
  const directory = join(serverDirectory, 'mirror');
  const at = (name: string) => join(directory, name);
  return {
    directory,
    root: at('root.json'),
    trusted: at('trusted'),
    scratch: at('scratch'),
    partial: at('partial'),
    repository: at('repository'),
    state: at('state.json'),
    fetched: at('fetched.json'),
    request: at('check'),
  };
}
