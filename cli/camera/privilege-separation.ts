import { findAccount } from '../../host/os-user.ts';
import type { Separation } from '../../launcher/privilege-separation.ts';
import { CommandError } from '../errors.ts';

/** The users that agent and capture are to have, as they were given; neither, by hand. */
export interface RoleUsers {
  readonly agentUser?: string;
  readonly captureUser?: string;
}

/** @throws CommandError USAGE; HostError ACCOUNT_UNKNOWN. */
export function separationOf({ agentUser, captureUser }: RoleUsers): Separation | undefined {
  if (agentUser === undefined && captureUser === undefined) return undefined;
  if (agentUser === undefined || captureUser === undefined) {
    throw new CommandError('USAGE', '--agent-user and --capture-user go together');
  }
  return { agent: findAccount(agentUser), capture: findAccount(captureUser) };
}
