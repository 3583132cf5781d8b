// fence_ipmilan and its kin hand the password on to ipmitool as an argument, where `ps` shows it until ipmitool has put Xs
// over it. ipmitool can take it from its environment instead, which nobody but root may read; the agents have no option
// for that. They append the time for an answer last and as it stands, so `-E` goes with it.

/** What is told to an agent on stdin, and what stands in its environment. */
export interface Told {
  readonly options: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

const agents: ReadonlySet<string> = new Set([
  ...['fence_ipmilan', 'fence_ipmilanplus', 'fence_idrac', 'fence_imm'],
  ...['fence_ilo3', 'fence_ilo4', 'fence_ilo5'],
]);
/** The agents' own default, seconds. */
const answerTimeout = '2';

export function withoutPasswordInArgv(agent: string, options: Readonly<Record<string, string>>): Told {
  const { password, passwd, ...others } = options;
  const word = password ?? passwd;
  if (!agents.has(agent) || word === undefined) return { options, env: {} };
  const timeout = others['ipmitool_timeout'] ?? others['ipmitool-timeout'] ?? answerTimeout;
  return { options: { ...others, ipmitool_timeout: `${timeout} -E` }, env: { IPMITOOL_PASSWORD: word } };
}
