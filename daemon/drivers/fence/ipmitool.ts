// fence_ipmilan and its kin hand the password on to ipmitool as an argument, where `ps` shows it until ipmitool has put Xs
// over it, and the Kg key as one that it leaves there. ipmitool can take them from its environment instead, which nobody
// but root may read; the agents have no option for that. They append the time for an answer last and as it stands, so `-E`
// and `-K` go with it.

import { ipmitoolAgents } from '../../config/fencing.ts';

/** What is told to an agent on stdin, and what stands in its environment. */
export interface Told {
  readonly options: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

/** The agents' own default, seconds. */
const answerTimeout = '2';

export function withoutSecretsInArgv(agent: string, options: Readonly<Record<string, string>>): Told {
  const word = options['password'] ?? options['passwd'];
  const key = kgAsText(options['hexadecimal_kg'] ?? options['hexadecimal-kg']);
  if (!ipmitoolAgents.has(agent) || (word === undefined && key === null)) return { options, env: {} };
  const moved = [
    ...(word === undefined ? [] : ['password', 'passwd']),
    ...(key === null ? [] : ['hexadecimal_kg', 'hexadecimal-kg']),
  ];
  const others = Object.fromEntries(Object.entries(options).filter(([name]) => !moved.includes(name)));
  const timeout = others['ipmitool_timeout'] ?? others['ipmitool-timeout'] ?? answerTimeout;
  const flags = [...(word === undefined ? [] : ['-E']), ...(key === null ? [] : ['-K'])];
  return {
    options: { ...others, ipmitool_timeout: [timeout, ...flags].join(' ') },
    env: {
      ...(word !== undefined && { IPMITOOL_PASSWORD: word }),
      ...(key !== null && { IPMI_KGKEY: key }),
    },
  };
}

/** The Kg key as an environment can have it. Null: it has other bytes than those of ASCII, or is none. Its end is zeros. */
export function kgAsText(hexadecimal: string | undefined): string | null {
  const [text] = /^((?!00)[0-7][\da-f]){1,20}(?=(00)*$)/i.exec(hexadecimal ?? '') ?? [];
  return text === undefined ? null : Buffer.from(text, 'hex').toString('latin1');
}
