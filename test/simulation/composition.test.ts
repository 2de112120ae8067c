import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { composition } from '../../scripts/simulation/composition.ts';

type Services = Record<string, Record<string, unknown>>;

const pattern = readFileSync(resolve(import.meta.dirname, '../../compose.yaml'), 'utf8');
const own = parse(pattern, { merge: true }) as { services: Services; networks: Services };
const fleet = composition({
  pattern,
  images: { camera: 'c', server: 's' },
  cameras: [1, 2, 3].map((index) => ({ name: `camera-${index}`, volume: `v${index}` })),
  serverVolume: 'vs',
  ownerVolume: 'vo',
  user: '7:8',
  clips: '/clips-here',
}) as { services: Services; networks: Services };

test.each([
  ['compose.yaml', own],
  ['a fleet made after it', fleet],
])('in %s nobody has a right too many', (_which, { services, networks }) => {
  for (const service of Object.values(services)) {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(service.security_opt).toContain('no-new-privileges');
    expect(service.user).not.toMatch(/^(0|root)/);
    expect(service.privileged ?? service.cap_add ?? service.ports ?? service.network).toBeUndefined();
  }
  for (const network of Object.values(networks)) {
    expect(network).toEqual({
      internal: true,
      driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
    });
  }
});

test.each([
  ['compose.yaml', own],
  ['a fleet made after it', fleet],
])(
  'in %s each camera has the profile, and a line with the server that no other camera is on',
  (_which, { services }) => {
    const cameras = Object.entries(services).filter(([name]) => name.startsWith('camera-'));
    const lines = cameras.flatMap(([, { networks }]) => networks as string[]);
    expect(new Set(lines).size).toBe(cameras.length);
    expect(lines).toHaveLength(cameras.length);
    expect(services.server?.networks).toEqual(lines);
    for (const [, { security_opt: options }] of cameras) {
      expect(options).toContain('seccomp:deploy/container/seccomp.json');
    }
  },
);

test('the viewing key is with its owner, who has no network', () => {
  expect(fleet.services.owner).toMatchObject({ network_mode: 'none' });
  const elsewhere = Object.entries(fleet.services).filter(([name]) => name !== 'owner');
  for (const [, { volumes }] of elsewhere) expect(JSON.stringify(volumes)).not.toMatch(/vo:/);
});
