/** What only some resources need to know of a running machine: absent where nobody asked for it. Each part has its reader. */
export interface LiveParts {}
