/** Names of webhooks' sources, configured or called so by a sender: also path components, so nothing that needs quoting. */
export const SOURCE_NAME = /^[a-z0-9_-]{1,64}$/;
