import { type Facts, fail, ok, type PortFacts, unknown, type Verdict, warn } from './facts.ts';

/** What can be wrong with the machine that a camera runs on, and with how it runs. Pure. */

export function checkSwap({ machine: { swap, swapForbidden } }: Facts): Verdict {
  if (swap === undefined) return unknown('/proc/swaps cannot be read');
  const open = swap.filter(({ safe }) => !safe).map(({ name }) => name);
  if (open.length === 0) return ok(swap.length === 0 ? 'off' : 'in memory or encrypted');
  if (swapForbidden) return ok('on, but never for the camera (MemorySwapMax=0)');
  return fail(
    `on, unencrypted (${open.join(', ')}): what the camera films may land on the disk`,
    'swapoff -a, and out of /etc/fstab; or run the camera by its unit',
  );
}

export function checkCoreDumps({ machine: { corePattern, coreLimit } }: Facts): Verdict {
  if (corePattern === undefined || coreLimit === undefined) return unknown('the limits cannot be read');
  if (corePattern === '') return ok('off');
  if (coreLimit > 0) {
    const way = 'run the camera by its unit, or after: ulimit -c 0';
    return fail('allowed: a crash would write keys and video to the disk', way);
  }
  // core(5): a program that takes dumps over a pipe gets them whatever the limit is, and has to heed it by itself.
  if (corePattern.startsWith('|')) {
    const program = corePattern.slice(1).split(' ')[0] ?? '';
    if (HEEDING.some((name) => program.endsWith(name))) return ok(`off (${program} heeds the limit)`);
    return warn(`${program} gets them whatever the limit is`, 'sysctl kernel.core_pattern=core');
  }
  return ok('off');
}

const HEEDING = ['/systemd-coredump', '/apport'];

const named = ({ protocol, address, port, process }: PortFacts) =>
  `${protocol.startsWith('tcp') ? 'TCP' : 'UDP'} ${address.includes(':') ? `[${address}]` : address}:${port}${process === undefined ? '' : ` (${process})`}`;

const MAX_NAMED = 5;
const list = (ports: readonly PortFacts[]) => {
  const more = ports.length > MAX_NAMED ? ` and ${ports.length - MAX_NAMED} more` : '';
  return `${ports.slice(0, MAX_NAMED).map(named).join(', ')}${more}`;
};

/** One of the camera's own is a door that must not be; another's is a door into the board. */
export function checkPorts({ machine: { ports } }: Facts): Verdict {
  const own = ports.filter(({ ours }) => ours);
  if (own.length > 0) {
    return fail(
      `the camera itself has open ${list(own)}`,
      'stop it: this is not the Oriel that was released',
    );
  }
  const others = ports.filter(({ loopback }) => !loopback);
  if (others.length > 0) {
    return warn(
      `others on this machine have open ${list(others)}`,
      'end what is not needed, or set the packet filter: oriel camera firewall (--apply)',
    );
  }
  return ok('none');
}

export function checkUsers({ roles }: Facts): Verdict {
  const agent = roles.find(({ role }) => role === 'agent');
  const capture = roles.find(({ role }) => role === 'capture');
  if (agent === undefined) return unknown('the camera does not run');
  const way = 'run it by its unit, or with --agent-user and --capture-user (docs/design/hardening.md)';
  if (agent.uid === 0 || capture?.uid === 0) return fail('the camera runs as root', way);
  if (capture !== undefined && agent.uid === capture.uid) {
    return warn('agent and capture have one user: ffmpeg could read the key', way);
  }
  return ok('agent and capture have users of their own');
}

const INSPECTING = /^--(inspect|debug)/;
const LOADING = /--(inspect|debug|require|import|loader|experimental-loader|env-file)|(^|\s)-r(\s|$)/;
const NO_INSPECTOR = '--disable-sigusr1';

/** What opens Node's inspector, or brings code into the camera's processes. */
export function checkInspector({ roles, nodeOptions }: Facts): Verdict {
  for (const { role, command, environment } of roles) {
    if (command.some((word) => INSPECTING.test(word))) {
      return fail(`the ${role} was started with an inspector`, 'start it as oriel camera run does');
    }
    if (!command.includes(NO_INSPECTOR)) {
      return fail(
        `the ${role} opens its inspector on SIGUSR1`,
        `start it with ${NO_INSPECTOR}, as ./oriel does`,
      );
    }
    const options = environment?.find((variable) => variable.startsWith('NODE_OPTIONS='));
    if (options !== undefined) return optionsVerdict(options.slice('NODE_OPTIONS='.length), `of the ${role}`);
  }
  return nodeOptions === '' ? ok('off') : optionsVerdict(nodeOptions, 'here');
}

function optionsVerdict(options: string, whose: string): Verdict {
  const way = 'unset NODE_OPTIONS';
  if (LOADING.test(options)) return fail(`NODE_OPTIONS ${whose} opens the inspector or loads code`, way);
  return warn(`NODE_OPTIONS ${whose} is set`, way);
}

export function checkFirewall({ firewall: { unit, leftAlone, present } }: Facts): Verdict {
  if (!unit) return ok('not installed by its unit: none is expected');
  if (leftAlone) {
    return warn(
      'left as it is on this machine: the unit alone is held to its addresses',
      './install --firewall',
    );
  }
  if (present === undefined) return unknown('only root sees it: nft list table inet oriel');
  if (present) return ok('set');
  return fail('the unit is installed without it', 'systemctl enable --now oriel-camera-firewall.timer');
}
