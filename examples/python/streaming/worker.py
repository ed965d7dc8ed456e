"""The worker: runs the task until Ctrl-C.

Start a server with `hatchet server`, then: `python worker.py`.
"""

from tasks import hatchet, tell_story

if __name__ == "__main__":
    hatchet.worker("streaming-worker", slots=10, workflows=[tell_story]).start()
