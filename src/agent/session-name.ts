/**
 * Names of sessions: also path components and URL parameters, so nothing that needs quoting. No name of a prototype's
 * field fits, but for `constructor`, and none of the files that Nest keeps beside the sessions' folders.
 */
export const SESSION_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
