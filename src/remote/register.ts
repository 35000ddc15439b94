import { workElsewhere } from "../domain/end-point.ts";
import { programIs } from "../host/own-program.ts";
import { shippedFile } from "./shipped-file.ts";

// For a timer of the host's, which takes a change back that has an end.
programIs(() => {
  const path = shippedFile("main.js");
  return path === undefined ? undefined : { path };
});

// What other hosts take is loaded with the first of them.
workElsewhere({
  async open(address, { env }) {
    const [{ callerAt }, { checkDomain, remoteDomain }, { formatHost, noDomain, parseRemote }] = await Promise.all([
      import("./dial-host.ts"),
      import("./remote-host.ts"),
      import("./host-address.ts"),
    ]);
    const { at, domain } = parseRemote(address);
    if (domain === null) throw noDomain(address, at);
    const [name, caller] = [formatHost(at), callerAt(at, { ssh: env?.["QMPCTL_SSH"] })];
    await checkDomain(caller, name, domain);
    return remoteDomain(caller, name, domain);
  },
});
