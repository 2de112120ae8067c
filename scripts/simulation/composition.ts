import { parse } from 'yaml';
import type { Images } from './images.ts';

/** compose.yaml as far as it is looked at here. */
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, object>>;
}
interface Service {
  readonly [key: string]: unknown;
}

export interface CompositionOptions {
  /** The text of compose.yaml. */
  readonly pattern: string;
  readonly images: Images;
  readonly cameras: readonly CameraService[];
  /** Volume names by what is in them. */
  readonly serverVolume: string;
  readonly ownerVolume: string;
  /** UID:GID. */
  readonly user: string;
  /** A folder of this machine with clips; cameras see it at /clips. */
  readonly clips: string | undefined;
  /** A folder of this machine with a maker's repository, which the server passes on. */
  readonly updates?: string;
}

export interface CameraService extends CameraExtras {
  readonly name: string;
  readonly volume: string;
}

/** What a camera has beyond the others. */
export interface CameraExtras {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly mounts?: readonly string[];
  /** How many processes and threads it may have, if not as many as others. */
  readonly pids?: number;
}

/** Where everything lies in the owner's container. */
export const FLEET = '/fleet';

export const lineOf = (camera: string) => `line-${camera}`;

/**
 * The compose file of a fleet, of any number of cameras, each as compose.yaml has its first; server and cameras keep
 * their directories in volumes. The owner is a person's machine: it holds the viewing key, has no network, and carries by
 * hand what people carry.
 */
export function composition(wish: CompositionOptions): object {
  const pattern = parse(wish.pattern, { merge: true }) as Compose;
  const { server, 'camera-1': camera } = pattern.services;
  const { 'line-1': line } = pattern.networks;
  if (server === undefined || camera === undefined || line === undefined) {
    throw new TypeError('compose.yaml has no server, camera-1 or line-1');
  }
  const { cameras, images, user, serverVolume, ownerVolume, clips, updates } = wish;
  const shared = clips === undefined ? [] : [`${clips}:/clips:ro`];
  const services: Record<string, Service> = {
    server: {
      ...server,
      image: images.server,
      user,
      ...(updates && { command: ['oriel', 'server', 'run', '/server', '--updates', '/updates'] }),
      volumes: [`${serverVolume}:/server`, ...(updates === undefined ? [] : [`${updates}:/updates:ro`])],
      networks: cameras.map(({ name }) => lineOf(name)),
    },
    owner: {
      ...without(server, 'networks', 'restart'),
      image: images.camera,
      user,
      command: ['sleep', 'infinity'],
      init: true,
      network_mode: 'none',
      healthcheck: { disable: true },
      volumes: [
        `${ownerVolume}:${FLEET}/owner`,
        `${serverVolume}:${FLEET}/server`,
        ...cameras.map(({ name, volume }) => `${volume}:${FLEET}/${name}`),
      ],
    },
  };
  for (const { name, volume, environment = {}, mounts = [], command, pids } of cameras) {
    services[name] = {
      ...camera,
      image: images.camera,
      user,
      environment,
      ...(command && { command }),
      ...(pids && { pids_limit: pids }),
      volumes: [`${volume}:/camera`, ...shared, ...mounts],
      networks: [lineOf(name)],
    };
  }
  const external = [serverVolume, ownerVolume, ...cameras.map(({ volume }) => volume)];
  return {
    services,
    networks: Object.fromEntries(cameras.map(({ name }) => [lineOf(name), line])),
    volumes: Object.fromEntries(external.map((name) => [name, { external: true, name }])),
  };
}

function without(service: Service, ...keys: readonly string[]): Service {
  return Object.fromEntries(Object.entries(service).filter(([key]) => !keys.includes(key)));
}
