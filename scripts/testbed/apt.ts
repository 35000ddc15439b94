import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";

/** The keyring that checks Debian's indexes, from the package `debian-archive-keyring`. */
export const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A package index of one Debian release, in its own folder. It does not depend on the installed packages. */
export interface Suite {
  readonly name: string;
  readonly folder: string;
  readonly options: readonly string[];
}

/**
 * The Debian mirror of this host, from its apt sources in either format.
 * It does not use the release information, because a host that never ran `apt-get update` has none.
 */
export async function findMirror(): Promise<string> {
  const targets = await run("apt-get", ["indextargets", "--no-release-info", "--format", "$(SITE)"]);
  const mirror = targets.split("\n").find((site) => /\/debian\/?$/.test(site));
  if (!mirror) throw new Error("the apt sources of this host name no Debian mirror: give one with --mirror URL");
  return mirror.replace(/\/$/, "");
}

/** Fetches the index of a release into `folder`. */
export async function openSuite(name: string, mirror: string, folder: string): Promise<Suite> {
  await mkdir(join(folder, "lists", "partial"), { recursive: true });
  await mkdir(join(folder, "cache", "archives", "partial"), { recursive: true });
  await writeFile(join(folder, "status"), "");
  await writeFile(join(folder, "sources.list"), `deb [arch=amd64 signed-by=${KEYRING}] ${mirror} ${name} main\n`);
  const settings = {
    "Dir::Etc::SourceList": join(folder, "sources.list"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::Etc::Preferences": "/dev/null",
    "Dir::Etc::PreferencesParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Sandbox::User": "root",
    // The index of an old release has expired, but it is still the right one.
    "Acquire::Check-Valid-Until": "false",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
  };
  const suite = { name, folder, options: ["-qq", ...Object.entries(settings).map(([key, value]) => `-o${key}=${value}`)] };
  await run("apt-get", [...suite.options, "update"]);
  return suite;
}

/** Unpacks packages and all their dependencies into `root`. It installs nothing. */
export async function unpackWithDependencies(suite: Suite, packages: readonly string[], root: string): Promise<void> {
  await run("apt-get", [...suite.options, "-y", "--no-install-recommends", "--download-only", "install", ...packages]);
  await unpackAll(join(suite.folder, "cache", "archives"), root);
}

/** Unpacks only these packages into `root`. */
export async function unpack(suite: Suite, packages: readonly string[], root: string): Promise<void> {
  const folder = join(suite.folder, "download");
  await mkdir(folder, { recursive: true });
  await run("apt-get", [...suite.options, "download", ...packages], { cwd: folder });
  await unpackAll(folder, root);
}

/** The dependencies of a package of the release. */
export async function dependenciesOf(suite: Suite, name: string): Promise<readonly string[]> {
  const text = await run("apt-cache", [...suite.options, "depends", name]);
  return [...text.matchAll(/Depends: (\S+)/g)].map((match) => match[1] ?? "");
}

/** Removes the files that only the download needed. */
export async function closeSuite(suite: Suite): Promise<void> {
  for (const leftover of ["lists", "cache", "download", "status", "sources.list"]) {
    await rm(join(suite.folder, leftover), { recursive: true, force: true });
  }
}

async function unpackAll(folder: string, root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const debs = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  for (const deb of debs) await run("dpkg", ["-x", join(folder, deb), root]);
}
