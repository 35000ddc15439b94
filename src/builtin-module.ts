/**
 * One of Node's own modules, loaded when it is first needed. It uses no named import, because an old Node does not have this function, and
 * must get as far as reporting that it is too old.
 */
export const builtinModule: typeof process.getBuiltinModule = (id: string) => process.getBuiltinModule(id) as never;
