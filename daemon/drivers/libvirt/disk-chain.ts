// What an image stands on: itself an overlay of another one, and so on to the end, each perhaps with its data in a file
// of its own. By what qemu-img says of each, or, where the image is not there, by what the definition names.
// Guarantees: only looks; an image that is missing is in the chain all the same.

import path from 'node:path';
import { describeFailure, runCommand } from '../command.ts';
import { type DiskPath, nameOf } from './belonging.ts';
import type { DomainDisk } from './domain.ts';
import { isBlockDevice, isThere, resolved } from './real-path.ts';

const imageInfoTimeoutMs = 10_000;

/** `problem`: why it cannot be followed further. */
export interface Chain {
  readonly paths: readonly DiskPath[];
  readonly problem: string | null;
}

/** By the image itself where it is there, else by what the definition says. Raw ones have none. */
export async function backingChain(
  disk: DomainDisk,
  image: DiskPath,
  signal: AbortSignal | undefined,
): Promise<Chain> {
  if (disk.format === 'raw') return { paths: [], problem: null };
  return (await isThere(image.real))
    ? await followImages(image, disk.format, signal)
    : await namedChain(disk);
}

async function namedChain(disk: DomainDisk): Promise<Chain> {
  const named = [
    ...disk.backing.map(({ source }) => ({ source, role: 'backing' as const })),
    ...disk.data.map((source) => ({ source, role: 'data' as const })),
  ];
  const away = named.find(({ source }) => !('path' in source));
  const problem =
    away === undefined
      ? null
      : `its image stands on ${nameOf({ ...disk, source: away.source })}, no path of this host`;
  const paths = named.map(async ({ source, role }) =>
    'path' in source ? [await diskPath(source.path, source.kind, role)] : [],
  );
  return { paths: (await Promise.all(paths)).flat(), problem };
}

/**
 * One image after the other, as each names the next: qemu-img's own walk (`--backing-chain`) tells nothing at all where
 * one is missing. Such a one ends the chain, and is in it.
 */
async function followImages(
  top: DiskPath,
  topFormat: string | null,
  signal: AbortSignal | undefined,
): Promise<Chain> {
  const paths: DiskPath[] = [];
  const seen = new Set([top.real]);
  let [file, format] = [top.path, topFormat];
  const stuck = (problem: string): Chain => ({ paths, problem });
  for (;;) {
    const info = await imageInfo(file, format, signal);
    if ('problem' in info) return stuck(`what ${top.path} stands on cannot be told: ${info.problem}`);
    const { next, data } = info;
    const at = async (named: string, role: 'backing' | 'data') => {
      const absolute = path.resolve(path.dirname(file), named);
      return await diskPath(absolute, (await isBlockDevice(absolute)) ? 'block' : 'file', role);
    };
    if (data !== null) paths.push(await at(data, 'data'));
    if (next === null) return { paths, problem: null };
    const found = await at(next.file, 'backing');
    if (seen.has(found.real)) return stuck(`${top.path} stands on itself, by way of ${found.path}`);
    seen.add(found.real);
    paths.push(found);
    if (next.format === 'raw' || !(await isThere(found.real))) return { paths, problem: null };
    [file, format] = [found.path, next.format];
  }
}

interface ImageInfo {
  /** What it is an overlay of, as QEMU opens it. */
  readonly next: { readonly file: string; readonly format: string | null } | null;
  /** The file that its data are in, where that is another one. */
  readonly data: string | null;
}

type Problem = { readonly problem: string };

/** Of one image alone, also while a guest has it. */
async function imageInfo(
  file: string,
  format: string | null,
  signal: AbortSignal | undefined,
): Promise<ImageInfo | Problem> {
  const told = await qemuImgInfo(file, format, signal);
  if ('problem' in told) return told;
  const { info } = told;
  const { 'backing-filename-format': kind } = info;
  const specific = info['format-specific'] as
    | { readonly data?: { readonly 'data-file'?: unknown } }
    | undefined;
  const next = await pathOf(info['full-backing-filename'] ?? info['backing-filename'], signal);
  if (typeof next === 'object' && next !== null) return next;
  const data = await pathOf(specific?.data?.['data-file'], signal);
  if (typeof data === 'object' && data !== null) return data;
  return {
    next: next === null ? null : { file: next, format: typeof kind === 'string' ? kind : null },
    data,
  };
}

/**
 * Null: there is none. A file that QEMU names in a way of its own, `json:` say, is a path only if QEMU has a path for it.
 */
async function pathOf(named: unknown, signal: AbortSignal | undefined): Promise<string | null | Problem> {
  if (named === undefined) return null;
  let file = typeof named === 'string' ? named.replace(ownScheme, '') : '';
  if (file.startsWith('json:')) {
    const told = await qemuImgInfo(file, null, signal);
    if ('problem' in told) return told;
    const { filename } = told.info;
    file = typeof filename === 'string' ? filename.replace(ownScheme, '') : '';
  }
  if (file === '') return { problem: 'qemu-img names no file' };
  if (!path.isAbsolute(file) && /^[a-z][\w+.-]*:/i.test(file))
    return { problem: `it is ${file}, which is no file or device of this host` };
  return file;
}

const ownScheme = /^(file|host_device):/;

async function qemuImgInfo(
  file: string,
  format: string | null,
  signal: AbortSignal | undefined,
): Promise<{ readonly info: Readonly<Record<string, unknown>> } | { readonly problem: string }> {
  const options = format === null ? [] : ['-f', format];
  const argv = ['qemu-img', 'info', '--force-share', '--output=json', ...options, file];
  const call = { timeoutMs: imageInfoTimeoutMs, env: { LC_ALL: 'C' } };
  const result = await runCommand(argv, signal === undefined ? call : { ...call, signal });
  signal?.throwIfAborted();
  if (result.exitCode !== 0) return { problem: describeFailure(argv, result) };
  try {
    return { info: JSON.parse(result.stdout) as Readonly<Record<string, unknown>> };
  } catch (error) {
    return { problem: `qemu-img said ${String(error)}` };
  }
}

async function diskPath(file: string, kind: DiskPath['kind'], role: DiskPath['role']): Promise<DiskPath> {
  return { path: file, real: await resolved(file), role, kind };
}
