import type { Session } from "../../qmp/session.ts";
import { orNull } from "./answer.ts";

/**
 * The VFIO devices that make QEMU drop what the balloon gives it, by id or path. Those that let the balloon work say so by a property.
 * Source: QEMU's hw/vfio and hw/virtio/virtio-balloon.c (virtio_balloon_inhibited).
 */
export async function keepersIn(session: Session): Promise<readonly string[]> {
  const folders = ["/machine/peripheral", "/machine/peripheral-anon"];
  const lists = await Promise.all(folders.map((path) => orNull(session.execute("qom-list", { path }))));
  const devices = lists.flatMap((list, at) =>
    (list ?? [])
      .filter(({ type }) => /^child<vfio-/.test(type))
      .map(({ name }) => ({ name: at === 0 ? name : `${folders[at]}/${name}`, path: `${folders[at]}/${name}` })),
  );
  const allowed = await Promise.all(devices.map(({ path }) => orNull(session.execute("qom-get", { path, property: "x-balloon-allowed" }))));
  return devices.filter((_, at) => allowed[at] !== true).map(({ name }) => name);
}
