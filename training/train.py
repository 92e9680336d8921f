"""Make the starter pack: VAE, style encoder, then UNet, ControlNet and IP-Adapter, their words, the decoder once more.

Everything is learnt from the procedural world alone.

    make train                         five hours on two CPU cores
    make train ARGS="--minutes 10"     a smoke run
    make train ARGS="--minutes 25"     with a GPU
    make train ARGS="--pack-only"      assemble the pack from the last run's parts
    make train ARGS="--go-on-from models/starter --out runs/more"      a new run, begun with the parts of a pack

Every stage keeps a checkpoint, a loss log, a plot of it and sample sheets under --out: killed, it goes on from there;
finished, it is passed over. A longer --minutes takes diffusion and decoder up again for the time that they lack; what
they stand on stays.
"""

import argparse
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """One part of the recipe: `train(folder, seconds, seed, examples)` of a module, its checkpoint in folder/`name`.pt.

    The module goes by its name: each process that draws pictures imports this file, and needs no torch.
    """

    name: str
    share: float  # of the time budget
    examples: int  # drawn from the world for a run of an hour or more
    module: str

    def train(self, folder: Path, seconds: float, seed: int, examples: int) -> None:
        """Train for `seconds`, or what is left of them."""
        import_module(self.module).train(folder, seconds, seed, examples)


STAGES = (
    Stage("vae", 0.09, 3000, "training.train_vae"),
    Stage("style", 0.04, 10000, "training.train_style_encoder"),
    Stage("diffusion", 0.77, 6000, "training.train_diffusion"),
    Stage("words", 0.05, 3000, "training.train_words"),
    Stage("decoder", 0.05, 500, "training.train_decoder"),
)


def main() -> None:
    """Run what is missing of the stages, then assemble the pack."""
    from tools.packs import hush_loaders
    from training.budget import seconds_spent
    from training.pack import assemble, take_apart

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=300)
    parser.add_argument(
        "--examples", type=int, help="drawn for every stage; more with more minutes"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    parser.add_argument("--pack", type=Path, default=Path("models/starter"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--go-on-from", type=Path, help="a pack; what --out has begun goes before it"
    )
    parser.add_argument("--pack-only", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    hush_loaders()
    begun = (args.out / "diffusion.pt").exists()
    if args.go_on_from and not begun:
        take_apart(args.go_on_from, args.out)
        begun = True
    foundations = 2 if begun else 0  # a VAE that moved would leave the UNet in another space
    for stage in () if args.pack_only else STAGES[foundations:]:
        seconds = stage.share * args.minutes * 60
        if seconds_spent(args.out / f"{stage.name}.pt") < seconds:
            examples = args.examples or round(stage.examples * min(1.0, args.minutes / 60)) + 300
            stage.train(args.out, seconds, args.seed, examples)
    assemble(args.out, args.pack)


if __name__ == "__main__":
    main()
