"""LiteLLM as a proxy before a server: no database, nothing is looked up or reported outside."""

from __future__ import annotations

import json
from pathlib import Path

from tests.servers.environment import Environment
from tests.servers.server import Server


def litellm(
    environment: Environment, folder: Path, name: str, behind: Server, model: Path, key: str
) -> Server:
    """A proxy that offers a server's model under a name, to who has the key."""
    config = folder / "litellm.yaml"
    # JSON is YAML too. Retries are off, so that geostore asked for each answer of the server.
    config.write_text(
        json.dumps(
            {
                "model_list": [
                    {
                        "model_name": name,
                        "litellm_params": {
                            "model": f"openai/{model}",
                            "api_base": behind.url,
                            "api_key": "none",
                            "max_retries": 0,
                        },
                    }
                ],
                "litellm_settings": {"num_retries": 0, "telemetry": False},
                "router_settings": {"num_retries": 0},
            },
            indent=1,
        )
    )
    variables = {
        variable: value
        for variable, value in environment.variables().items()
        # Else it would set up a database that the user's own shell names.
        if not variable.startswith(("DATABASE_", "LITELLM_", "OPENAI_", "REDIS_"))
    }
    variables |= {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or it fetches prices from the internet
        "NO_PROXY": "127.0.0.1",  # where the server is
        "no_proxy": "127.0.0.1",
    }
    return Server(
        environment.proxy_command("litellm", "--config", config, "--telemetry", "False"),
        variables,
        log=folder / "LiteLLM.log",
        # Its /health asks the model, which would count as an answer of the server.
        ready="/health/liveliness",
    )
