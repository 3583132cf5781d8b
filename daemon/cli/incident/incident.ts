// `battito incident`: what went wrong, from the journal on disk. It asks no daemon, since it matters most when there
// is none, and changes nothing.

import manifest from '../../../package.json' with { type: 'json' };
import { BattitoError, exitCodes } from '../../errors.ts';
import { exportJournal } from '../../incident/export.ts';
import { createIncidentFinder, type Incident } from '../../incident/list.ts';
import { type Reading, readJournal } from '../../incident/read.ts';
import { createReplayer } from '../../incident/replay.ts';
import { buildTimeline } from '../../incident/timeline.ts';
import { nearestWord, usageError } from '../arguments.ts';
import type { Arguments, Command, Context } from '../command.ts';
import { flag, jsonOption, text } from '../command.ts';
import { printJson } from '../output.ts';
import { renderIncidents, renderReading, renderReplay, renderTimeline } from './view.ts';

const deeds = { list, show, export: exportTo, replay } as const;
type Deed = keyof typeof deeds;

export const incidentCommand: Command = {
  name: 'incident',
  summary: 'what went wrong, moment by moment; the flight recorder',
  usage: [
    'incident [list]',
    'incident show [N|last] [--peer FILE|DIRECTORY]',
    'incident export FILE',
    'incident replay [FILE|DIRECTORY]',
  ],
  description: [
    'Reads the journal of this node, in which the daemon records every event and every decision; it need not run. An incident begins with the first warning or alarm and lasts until all groups are settled and nothing more has come for a while. They are numbered from the oldest that the journal still has.',
    "show prints one incident moment by moment. With --peer, the other node's journal (its state directory, or a file that was exported there) is laid beside it, by the packets that both have recorded.",
    'export writes the whole journal to one file, to carry to the other node or to send away. It holds no key. It is never written over another file. --state-dir may name such a file, too.',
    'replay runs the journal through the same decisions again: what comes out must be what was recorded, byte for byte.',
  ],
  options: {
    peer: { type: 'string', value: 'PATH', help: "the other node's journal, for show" },
    json: jsonOption,
  },
  examples: [
    { command: 'battito incident', meaning: 'what went wrong lately' },
    { command: 'battito incident show last', meaning: 'the newest incident, moment by moment' },
    {
      command: 'battito incident export /root/secondary.journal.gz',
      meaning: 'on the other node; then copy that file here',
    },
    {
      command: 'battito incident show 3 --peer secondary.journal.gz',
      meaning: 'the third one, as both nodes saw it',
    },
    { command: 'battito incident replay', meaning: 'would this version decide the same again?' },
  ],
  exitCodes: {
    0: 'done; for replay: identical',
    1: 'there is no such incident or journal, or it cannot be read; for replay: not identical',
    77: 'not allowed: run it as root',
  },
  positionalsMax: 2,
  async run(context, args) {
    const [word = 'list', operand] = args.positionals;
    if (!Object.hasOwn(deeds, word)) {
      const near = nearestWord(word, Object.keys(deeds));
      throw usageError(
        `incident does not know "${word}"`,
        incidentCommand,
        near === undefined ? near : `battito incident ${near}`,
      );
    }
    const deed = word as Deed;
    if (deed === 'list' && operand !== undefined) {
      throw usageError(`incident list does not know what to do with "${operand}"`, incidentCommand);
    }
    if (deed !== 'show' && text(args, 'peer') !== undefined) {
      throw usageError('--peer goes with incident show', incidentCommand);
    }
    return deeds[deed](context, args, operand);
  },
};

interface Listing {
  readonly reading: Reading;
  readonly incidents: readonly Incident[];
}

async function findIncidents({ settings }: Context): Promise<Listing> {
  const finder = createIncidentFinder();
  const reading = await readJournal(settings.stateDir, [finder]);
  return { reading, incidents: finder.incidents() };
}

async function list(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const { reading, incidents } = await findIncidents(context);
  if (flag(args, 'json')) {
    printJson(output, { journal: reading, incidents: incidents.map(({ notes, ...incident }) => incident) });
    return exitCodes.ok;
  }
  for (const line of [...renderIncidents(incidents, output.look()), ...renderReading(reading)])
    output.line(line);
  return exitCodes.ok;
}

async function show(context: Context, args: Arguments, which = 'last'): Promise<number> {
  const { output, settings } = context;
  if (which !== 'last' && !/^[1-9][0-9]{0,8}$/.test(which)) {
    throw usageError(`incident show takes a number or "last", not "${which}"`, incidentCommand);
  }
  const { incidents, reading } = await findIncidents(context);
  const incident = which === 'last' ? incidents.at(-1) : incidents[Number(which) - 1];
  if (incident === undefined) throw noSuchIncident(which, incidents.length);
  const timeline = await buildTimeline(incident, settings.stateDir, text(args, 'peer') ?? null);
  if (flag(args, 'json')) {
    const { notes, ...about } = incident;
    printJson(output, { ...timeline, journal: reading, incident: about });
    return exitCodes.ok;
  }
  for (const line of renderTimeline(timeline, incidents.length, output.look())) output.line(line);
  return exitCodes.ok;
}

async function exportTo(context: Context, args: Arguments, file: string | undefined): Promise<number> {
  const { output, settings } = context;
  if (file === undefined) throw usageError('incident export needs a file to write', incidentCommand);
  const { bytes, reading } = await exportJournal(settings.stateDir, file);
  if (flag(args, 'json')) {
    printJson(output, { file, bytes, journal: reading });
    return exitCodes.ok;
  }
  const { node, peer } = reading.first;
  output.line(`${file}: the journal of ${node}, ${Math.ceil(bytes / 1024)} KiB, mode 0600; it holds no key`);
  output.line(`next: copy it to ${peer}, and there run \`battito incident show last --peer ${file}\``);
  return exitCodes.ok;
}

async function replay(context: Context, args: Arguments, path: string | undefined): Promise<number> {
  const { output, settings } = context;
  const replayer = createReplayer();
  const reading = await readJournal(path ?? settings.stateDir, [replayer]);
  const result = replayer.result();
  const identical = result.difference === null && reading.skipped === 0;
  if (flag(args, 'json'))
    printJson(output, { identical, version: manifest.version, ...result, journal: reading });
  else for (const line of renderReplay(result, reading, manifest.version)) output.line(line);
  return identical ? exitCodes.ok : exitCodes.failed;
}

function noSuchIncident(which: string, count: number): BattitoError {
  if (count === 0) {
    return new BattitoError(
      'incident-unknown',
      'the journal has no incidents: nothing went wrong since it began',
      {
        next: '`battito history` shows what happened',
      },
    );
  }
  return new BattitoError('incident-unknown', `there is no incident ${which}; the journal has ${count}`, {
    next: '`battito incident` lists them',
  });
}
