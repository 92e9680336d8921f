"""Make the starter pack: VAE, style encoder, then UNet, ControlNet and IP-Adapter, from the procedural world alone.

    make train                         about 100 minutes on two CPU cores
    make train ARGS="--minutes 10"     a smoke run
    make train ARGS="--pack-only"      assemble the pack from the last run's parts

Every stage writes its parts, a checkpoint and a loss log under --out, and is skipped when its part is there already.
"""

import argparse
from pathlib import Path

from training import train_diffusion, train_style_encoder, train_vae
from training.pack import assemble

SHARES = {"vae": 0.25, "style": 0.06, "diffusion": 0.69}  # of the time budget


def main() -> None:
    """Run the stages that are missing, then assemble the pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    parser.add_argument("--pack", type=Path, default=Path("models/starter"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pack-only", action="store_true")
    args = parser.parse_args()
    seconds = {stage: share * args.minutes * 60 for stage, share in SHARES.items()}
    size = min(1.0, args.minutes / 60)
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.pack_only:
        if not (args.out / "vae").exists():
            train_vae.train(args.out, seconds["vae"], args.seed, pool_size=int(3000 * size))
        if not (args.out / "image_encoder").exists():
            train_style_encoder.train(
                args.out, seconds["style"], args.seed, pool_size=int(10000 * size) + 300
            )
        train_diffusion.train(
            args.out, seconds["diffusion"], args.seed, count=int(6000 * size), batch=8, resume=True
        )
    assemble(args.out, args.pack)


if __name__ == "__main__":
    main()
