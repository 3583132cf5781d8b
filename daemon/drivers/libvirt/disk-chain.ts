// What an image stands on: itself an overlay of another one, and so on to the end. By what qemu-img says of each, or,
// where the image is not there, by what the definition names.
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
  const named = disk.backing.flatMap(({ source }) => ('path' in source ? [source] : []));
  const away = disk.backing.find(({ source }) => !('path' in source));
  const problem =
    away === undefined
      ? null
      : `its image stands on ${nameOf({ ...disk, source: away.source })}, no path of this host`;
  return { paths: await Promise.all(named.map((one) => backing(one.path, one.kind))), problem };
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
    const { next } = info;
    if (next === null) return { paths, problem: null };
    const absolute = path.resolve(path.dirname(file), next.file);
    const found = await backing(absolute, (await isBlockDevice(absolute)) ? 'block' : 'file');
    if (seen.has(found.real)) return stuck(`${top.path} stands on itself, by way of ${absolute}`);
    seen.add(found.real);
    paths.push(found);
    if (next.format === 'raw' || !(await isThere(found.real))) return { paths, problem: null };
    [file, format] = [absolute, next.format];
  }
}

interface ImageInfo {
  /** What it is an overlay of, as QEMU opens it. */
  readonly next: { readonly file: string; readonly format: string | null } | null;
}

/** Of one image alone, also while a guest has it. */
async function imageInfo(
  file: string,
  format: string | null,
  signal: AbortSignal | undefined,
): Promise<ImageInfo | { readonly problem: string }> {
  const told = await qemuImgInfo(file, format, signal);
  if ('problem' in told) return told;
  const { 'full-backing-filename': full, 'backing-filename': short } = told.info;
  const named = full ?? short;
  if (named === undefined) return { next: null };
  if (typeof named !== 'string' || named === '') return { problem: 'qemu-img names no file' };
  const { 'backing-filename-format': kind } = told.info;
  const next = { file: named, format: typeof kind === 'string' ? kind : null };
  return await asPath(next, signal);
}

/** A file that QEMU names in a way of its own, `json:` say, is a path only if QEMU has a path for it. */
async function asPath(
  next: NonNullable<ImageInfo['next']>,
  signal: AbortSignal | undefined,
): Promise<ImageInfo | { readonly problem: string }> {
  let file = next.file.replace(ownScheme, '');
  if (file.startsWith('json:')) {
    const told = await qemuImgInfo(file, null, signal);
    if ('problem' in told) return told;
    const { filename } = told.info;
    file = typeof filename === 'string' ? filename.replace(ownScheme, '') : '';
    if (file === '') return { problem: 'qemu-img names no file' };
  }
  if (!path.isAbsolute(file) && /^[a-z][\w+.-]*:/i.test(file)) {
    return { problem: `it is ${file}, which is no file or device of this host` };
  }
  return { next: { ...next, file } };
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

async function backing(file: string, kind: DiskPath['kind']): Promise<DiskPath> {
  return { path: file, real: await resolved(file), role: 'backing', kind };
}
