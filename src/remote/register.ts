import { workElsewhere } from "../domain/end-point.ts";

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
