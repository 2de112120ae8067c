import { findOsUser } from '../../host/os-user.ts';
import type { PrivilegeSeparation } from '../../launcher/privilege-separation.ts';
import { CommandError } from '../errors.ts';

/** The users that agent and capture are to have, as they were given; neither, by hand. */
export interface RoleUsers {
  readonly agentUser?: string;
  readonly captureUser?: string;
}

/** @throws CommandError USAGE; HostError ACCOUNT_UNKNOWN. */
export function separationOf({ agentUser, captureUser }: RoleUsers): PrivilegeSeparation | undefined {
  if (agentUser === undefined && captureUser === undefined) return undefined;
  if (agentUser === undefined || captureUser === undefined) {
    throw new CommandError('USAGE', '--agent-user and --capture-user go together');
  }
  return { agent: findOsUser(agentUser), capture: findOsUser(captureUser) };
}
