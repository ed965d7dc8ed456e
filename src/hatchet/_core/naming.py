"""Names: namespaces, action ids and label values.

A namespace is purely a client matter: a prefix on names of workflows, event keys and workers.
The engine sees plain names.
"""

LONGEST_NAME = 255


def normalize_namespace(namespace: str) -> str:
    """Lower-case, with one `_` at the end; the empty namespace stays empty.

    >>> normalize_namespace("Dev")
    'dev_'
    """
    namespace = namespace.strip().lower()
    return namespace if not namespace or namespace.endswith("_") else namespace + "_"


def apply_namespace(name: str, namespace: str) -> str:
    """Prefix `name`, unless it carries the prefix already.

    >>> apply_namespace("orders", "dev_"), apply_namespace("dev_orders", "dev_")
    ('dev_orders', 'dev_orders')
    """
    return name if name.startswith(namespace) else namespace + name


def action_id(service_name: str, task_name: str) -> str:
    """The id under which workers offer a task: `service:task`, lower-case."""
    return f"{service_name}:{task_name}".lower()
